"""Audio to log-mel: decode once, keep one float16 mel per clip on disk, serve segments as views of it.

`audio` decodes, `mel` transforms, `segments` says which seconds make up a sample, `store` keeps and serves them.
Reading a finished store needs numpy only; the audio libraries are imported when something must be decoded.

Notebook: 01_segmentation
"""
