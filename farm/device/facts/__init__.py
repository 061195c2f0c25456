"""What a device is, from the texts of its kernel and tools. Pure: numbers are checked, what lies is named."""
