"""What render is wired from: its sources, who they are shown to, and what is told about them."""
