from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("deployments", "0002_judged"),
    ]

    operations = [
        migrations.CreateModel(
            name="Used",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("token", models.CharField(max_length=64, unique=True)),
                ("request", models.CharField(max_length=64)),
                ("until", models.DateTimeField(db_index=True)),
            ],
        ),
    ]
