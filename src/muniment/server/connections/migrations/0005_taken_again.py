from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connections", "0004_shared_contexts")]

    operations = [
        migrations.RemoveConstraint(model_name="arrival", name="arrival_once"),
        migrations.AddIndex(
            model_name="arrival",
            index=models.Index(fields=["repository", "ref", "commit"], name="arrival_of_commit"),
        ),
    ]
