"""Amazon Lightsail as a moto service: container services, certificates, VPC peering, metrics."""

from migrator.lab.aws.lightsail.models import lightsail_backends as lightsail_backends
