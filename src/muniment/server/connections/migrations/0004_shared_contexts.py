from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0003_when_touched")]

    operations = [
        migrations.AddField(
            model_name="shown",
            name="due",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="branch",
            name="demanded",
            field=models.JSONField(default=list),
        ),
    ]
