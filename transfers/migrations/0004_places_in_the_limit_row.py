from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transfers", "0003_roles_and_bank_accounts")]

    operations = [
        migrations.AddField("customerlimit", "recent", models.TextField(default="")),
        migrations.AddField("customerlimit", "version", models.BigIntegerField(default=0)),
    ]
