"""Parts of the page: cells, devices, outputs, operators, memory, comparisons."""
