"""Data of the targets: toolchain files, pinned sysroots, the DLL's run-time C++. No code here."""
