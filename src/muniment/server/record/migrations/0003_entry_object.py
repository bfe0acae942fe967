from django.contrib.postgres.indexes import HashIndex
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("record", "0002_addendum")]

    operations = [migrations.AddIndex("entry", HashIndex(fields=["object"], name="entry_object"))]
