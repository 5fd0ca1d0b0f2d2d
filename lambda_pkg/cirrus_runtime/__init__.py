"""What runs on the far side: the worker, and all that client and worker share.

It ships to AWS Lambda as it stands, so it imports the standard library, numpy, redis and
safetensors alone (boto3 inside the S3 store), and nothing of scikit-learn or of the client.
"""

# Of the client and of the function: a worker refuses an invocation by another one.
__version__ = "0.1.0"
