// Stands for the C++ of a wrapper: packing does not read it.
