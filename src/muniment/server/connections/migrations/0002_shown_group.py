from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="shown",
            name="group",
            field=models.BooleanField(default=False),
        ),
    ]
