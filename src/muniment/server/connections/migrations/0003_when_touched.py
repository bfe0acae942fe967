from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0002_shown_group")]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="updated",
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(fields=["connection", "forge_id", "number"], name="delivery_of_change"),
        ),
    ]
