"""Make transformers know our model type as soon as both packages are imported, in either order.

`AutoModel...from_pretrained` must find the type after `import apollo_core` alone. But planning
imports `apollo_core` too, and transformers' auto classes load torch, which takes seconds. So
nothing is imported here: a finder waits for transformers' table of configurations, and registers
our configuration once that table is there. Model and processor follow when a configuration of ours
is first made (`registering`): by then no import is under way that theirs could meet half done.

An import hook is a surprise to whoever reads `sys.meta_path`. It asks for one name, and removes
itself at the first sight of it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

AUTO = "transformers.models.auto.configuration_auto"


def announce() -> None:
    """Register the configuration now, if transformers' table is loaded, else when it is."""
    if AUTO in sys.modules:
        _register()
    elif not any(type(finder) is _WhenImported for finder in sys.meta_path):
        sys.meta_path.insert(0, _WhenImported())


class _WhenImported(MetaPathFinder):
    """Finds what the other finders find, and registers behind it."""

    def find_spec(
        self, fullname: str, path: Iterable[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != AUTO:
            return None
        sys.meta_path.remove(self)  # or the search below would come back here
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            _register()

        spec.loader.exec_module = exec_module
        return spec


def _register() -> None:
    """The module registers its class at its end; it may be its import that brought us here."""
    importlib.import_module("apollo_core.exported.apollo_config")
