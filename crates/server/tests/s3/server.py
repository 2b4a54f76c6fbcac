"""An S3-compatible store with a bucket and a key to it, on a free port, until its standard input ends.

Prints one line of JSON: its port, and the keys. Then answers each line of its standard input with one line of JSON; what it does so, it
does with a client that nobody here wrote either:

    list                  {name: size} of all objects
    uploads               names of the objects that are being uploaded in parts
    damage NAME           changes the last byte of an object
    delete NAME           deletes an object
"""

import json
import os
import sys
import urllib.request

os.environ.update(AWS_ACCESS_KEY_ID="first", AWS_SECRET_ACCESS_KEY="first", AWS_DEFAULT_REGION="us-east-1")

import boto3
from moto.server import ThreadedMotoServer

BUCKET = "backups"


def policy(*actions):
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
port = server.get_host_and_port()[1]
url = f"http://127.0.0.1:{port}"
boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)
iam = boto3.client("iam", endpoint_url=url)
keys = {}
for name, actions in [("writer", ["s3:*"]), ("reader", ["s3:GetObject", "s3:ListBucket"])]:
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=policy(*actions))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    keys[name] = [key["AccessKeyId"], key["SecretAccessKey"]]
# From now on it looks at keys and signatures.
plain = {"Content-Type": "text/plain"}
urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset-auth", b"0", plain)).close()
print(json.dumps({"port": port, **keys}), flush=True)

key_id, secret = keys["writer"]
s3 = boto3.client("s3", endpoint_url=url, aws_access_key_id=key_id, aws_secret_access_key=secret)


def objects():
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", [])}


def damage(name):
    body = bytearray(s3.get_object(Bucket=BUCKET, Key=name)["Body"].read())
    body[-1] ^= 1
    s3.put_object(Bucket=BUCKET, Key=name, Body=bytes(body))


for line in sys.stdin:
    word, _, name = line.strip().partition(" ")
    if word == "list":
        answer = objects()
    elif word == "uploads":
        answer = [one["Key"] for one in s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])]
    elif word == "damage":
        answer = damage(name)
    elif word == "delete":
        answer = s3.delete_object(Bucket=BUCKET, Key=name) and None
    else:
        raise ValueError(line)
    print(json.dumps(answer), flush=True)
server.stop()
