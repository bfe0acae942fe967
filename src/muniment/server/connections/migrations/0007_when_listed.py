from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0006_holds_until")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="listing",
            field=models.DateTimeField(null=True),
        ),
    ]
