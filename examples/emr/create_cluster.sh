#!/usr/bin/env bash
# Starts a cluster of Amazon EMR that samples videos and ends. Not run on EMR; see README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# --ebs-root-volume-size: the environment with torch and CUDA has 5 GB, and pip unpacks it first.
aws emr create-cluster \
    --name keyframes \
    --release-label emr-7.13.0 \
    --applications Name=Spark \
    --use-default-roles \
    --instance-groups \
        InstanceGroupType=MASTER,InstanceType=m5.2xlarge,InstanceCount=1 \
        InstanceGroupType=CORE,InstanceType=m5.2xlarge,InstanceCount=4 \
    --ebs-root-volume-size 50 \
    --bootstrap-actions "Path=s3://my-bucket/keyframes/bootstrap.sh,Args=[s3://my-bucket/keyframes]" \
    --configurations file://configurations.json \
    --steps file://steps.json \
    --log-uri s3://my-bucket/logs/ \
    --auto-terminate
