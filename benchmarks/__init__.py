"""bpnet beside its rivals: `python -m benchmarks`; its accuracy: `python -m benchmarks.elementwise_accuracy`."""
