"""What a job is: its parameters, price, life cycle and outcome. Pure: no files, no network, no clock."""
