"""What capture is wired from: how it reads, what it holds, and what it tells of the run."""
