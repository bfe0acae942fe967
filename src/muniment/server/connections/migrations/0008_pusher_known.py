from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0007_when_listed")]

    operations = [
        migrations.AddField(
            model_name="arrival",
            name="pusher_known",
            field=models.BooleanField(default=False),
        ),
    ]
