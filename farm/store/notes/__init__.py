"""What people say of runs and devices, beside the runs: tags, quarantine. A small file each."""
