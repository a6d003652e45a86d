"""Where pictures come from: camera, file, folder, glob, stream, demo."""
