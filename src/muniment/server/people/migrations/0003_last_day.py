import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0002_proofs")]

    operations = [
        migrations.AddField("grant", "last", models.DateField(blank=True, null=True)),
        migrations.CreateModel(
            "Lapse",
            [
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("noted", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "grant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="lapse", to="people.grant"
                    ),
                ),
            ],
        ),
    ]
