"""Applies the migrations that a database lacks: to a new one without Django's quadratic cost."""

from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState


class _NewSchemaState(ProjectState):
    """A state that renders a changed model alone.

    Django renders every related model anew, also an indirect one, so that a migration can use all classes together.
    Nearly every model of ours relates to the people: that took 20 s of the first start. On a new database the classes
    only name tables and columns, which a class rendered earlier does as well.
    """

    def _find_reload_model(self, app_label: str, model_name: str, delay: bool = False) -> set[tuple[str, str]]:
        return {(app_label, model_name.lower())}

    def clone(self) -> "_NewSchemaState":
        """Return a copy that changes apart from this one."""
        copy = _NewSchemaState({key: model.clone() for key, model in self.models.items()}, self.real_apps)
        if "apps" in self.__dict__:  # asking for it would render all
            copy.apps = self.apps.clone()
        copy.is_delayed = self.is_delayed
        return copy


def apply_migrations(executor: MigrationExecutor) -> None:
    """Apply each migration that the database lacks, as `migrate` does."""
    if executor.loader.applied_migrations:
        call_command("migrate", verbosity=0, interactive=False)
        return
    targets = executor.loader.graph.leaf_nodes()
    plan = executor.migration_plan(targets)
    alias = executor.connection.alias
    emit_pre_migrate_signal(0, False, alias, plan=plan)
    executor.migrate(targets, plan, _NewSchemaState(real_apps=executor.loader.unmigrated_apps))
    emit_post_migrate_signal(0, False, alias, plan=plan)
