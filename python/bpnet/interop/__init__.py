"""Networks from and to other libraries: `bpnet.from_torch`, `to_torch`, `from_sklearn`, `from_keras`.

Each library is imported on first use. A reader of somebody else's model walks through it in order and hands every step
to a `Chain`, which knows what a `Network` can be and folds what lies between its layers.
"""
