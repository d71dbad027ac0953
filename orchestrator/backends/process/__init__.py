"""The mesh as local processes: forked from a zygote, talked to over loopback."""
