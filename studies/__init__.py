"""The studies that ship: each states claims of the sources, what is true instead, and controls; one file each."""
