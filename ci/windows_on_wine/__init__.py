"""A real Windows CPython with the real Windows torch, and one without it, under Wine.

Everything comes from package registries, pinned in pins.toml, and is put together once per
machine in the user's cache:

    from windows_on_wine import ensure

    windows = ensure()
    windows.python(["-c", "import torch; print(torch.__version__)"]).stdout
    windows.without_torch.python(["-m", "pip", "list"]).stdout
"""

from windows_on_wine.environment import WindowsPython, ensure

__all__ = ["WindowsPython", "ensure"]
