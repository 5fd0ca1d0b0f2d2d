"""A Lambda service on 127.0.0.1: boto3's Invoke and control plane, run by awslambdaric."""

from ._emulator import LambdaEmulator, SlotInfo
from ._faults import FaultPlan, Faults
from ._records import Invocation

__all__ = ["FaultPlan", "Faults", "Invocation", "LambdaEmulator", "SlotInfo"]
