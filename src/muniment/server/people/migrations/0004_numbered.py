import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0003_last_day")]

    operations = [
        migrations.CreateModel(
            name="Numbered",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("forge", models.CharField(max_length=40)),
                ("number", models.CharField(max_length=100)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "account",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="numbered", to="people.account"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("forge", "number"), name="numbered_once")],
            },
        ),
    ]
