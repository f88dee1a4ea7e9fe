"""Every migration of every installed app, run against a pretended SQL Server, there and back."""

from collections.abc import Iterator
from typing import Any

from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState


class Walk:
    """The migrations in an order in which they can run, and the models as they are before each."""

    def __init__(self) -> None:
        self.loader = MigrationLoader(None)
        keys = dict.fromkeys(
            key for leaf in sorted(self.loader.graph.leaf_nodes()) for key in self.loader.graph.forwards_plan(leaf)
        )  # each after what it depends on
        self.migrations: list[Migration] = [self.loader.graph.nodes[key] for key in keys]
        self._before: list[ProjectState] = []

    def forward(self, connection: Any) -> Iterator[Migration]:
        """Run one after the other; what each sent is in `connection.server.sent` when it is yielded."""
        state = ProjectState(real_apps=self.loader.unmigrated_apps)
        self._before = []
        for migration in self.migrations:
            self._before.append(state.clone())
            with connection.schema_editor(atomic=migration.atomic) as editor:
                state = migration.apply(state, editor)
            yield migration

    def back(self, connection: Any) -> Iterator[Migration]:
        for migration, state in reversed(list(zip(self.migrations, self._before, strict=True))):
            with connection.schema_editor(atomic=migration.atomic) as editor:
                migration.unapply(state, editor)
            yield migration
