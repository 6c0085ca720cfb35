"""lava-dl's `.net` files (HDF5), which Intel's `lava.lib.dl.netx.hdf5.Network` loads."""
