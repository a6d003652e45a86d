"""The processes of the pipeline, one module each, and the parts that they are wired from."""
