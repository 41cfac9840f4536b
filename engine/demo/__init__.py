"""What `face-recovery demo` shows: damaged pictures made on the spot, and a sheet of before and after."""
