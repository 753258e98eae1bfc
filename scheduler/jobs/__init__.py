"""Programs that run inside or around a job: each one file that imports nothing of ours and is copied beside the job."""
