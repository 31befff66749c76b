"""HolySheep Notebooks: the one package that every lesson imports as ``hs``.

The stub ``__init__.pyi`` beside this file lists the public names by lesson. This file reads the
list, and imports a name when it is first used: ``import holysheep_helpers`` costs next to nothing.
"""

from importlib import import_module

# A line of the stub is: from .client.chat import ask as ask
_LINES = __loader__.get_data(f"{__path__[0]}/__init__.pyi").decode().splitlines()
_MODULES = {line.split()[-1]: line.split()[1] for line in _LINES if line.startswith("from ")}

__all__ = sorted(_MODULES)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        from difflib import get_close_matches

        near = "".join(f". Did you mean {n!r}?" for n in get_close_matches(name, __all__, n=1))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{near}", name=name)
    if _MODULES[name] == ".":
        return import_module(f".{name}", __name__)
    value = getattr(import_module(_MODULES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
