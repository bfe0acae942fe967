from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0001_initial")]

    operations = [
        migrations.RenameField("claim", "key", "value"),
        migrations.AddField(
            "claim",
            "kind",
            models.CharField(
                choices=[("email", "e-mail address"), ("key", "SSH key"), ("login", "login")],
                default="key",
                max_length=8,
            ),
        ),
        migrations.AddField("claim", "published", models.TextField(blank=True)),
        migrations.AddField("claim", "code", models.CharField(blank=True, max_length=64)),
        migrations.AddField("claim", "tries", models.SmallIntegerField(default=0)),
        migrations.AddField("claim", "problem", models.TextField(blank=True)),
        migrations.AddField("claim", "ready", models.DateTimeField(null=True)),
        migrations.AddField(
            "account",
            "by",
            models.ForeignKey(null=True, on_delete=models.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            "account",
            "proof",
            models.CharField(
                choices=[
                    ("signed", "proven: signed with it"),
                    ("mailed", "proven: a code that was mailed to it came back"),
                    ("published", "proven: signed with a key that the forge shows for it"),
                    ("company", "proven: the company's sign-in says that it is verified"),
                    ("administrator", "not proven: an administrator vouched for it"),
                ],
                max_length=16,
            ),
        ),
    ]
