"""Stands in for the host's C++ compiler, which torch's own packaging calls for Linux."""

#: Answers what Inductor asks a C++ compiler for, and writes an empty file for what it compiles.
COMPILER = """#!/bin/sh
echo "g++ 13.0"
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then : > "$2"; fi
  shift
done
"""
