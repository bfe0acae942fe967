from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0005_taken_again")]

    operations = [
        migrations.AddField(
            model_name="atforge",
            name="until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddIndex(
            model_name="atforge",
            index=models.Index(condition=models.Q(("until__isnull", False)), fields=["until"], name="at_forge_until"),
        ),
    ]
