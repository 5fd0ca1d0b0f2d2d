"""Lambda's quotas, as its developer guide lists them (page "Lambda quotas")."""

MIB = 1 << 20
SYNCHRONOUS_PAYLOAD = 6 * MIB  # request
RESPONSE_PAYLOAD = 6 * MIB + 100  # what the service's own message states: 6291556 bytes
ASYNCHRONOUS_PAYLOAD = MIB  # 256 KB until 2025
CREATE_REQUEST = 69_905_067  # bytes of the JSON that holds a zip of 50 MB in base64
UNZIPPED = 250 * MIB
CODE_STORAGE = 75 << 30
ENVIRONMENT = 4096  # bytes of all names and values
ACCOUNT_CONCURRENCY = 1000
MINIMUM_UNRESERVED = 100
TIMEOUT_SECONDS = (1, 900)
MEMORY_MIB = (128, 10_240)
STORAGE_MIB = (512, 10_240)
RETRY_ATTEMPTS = (0, 2)
EVENT_AGE_SECONDS = (60, 21_600)
INIT_SECONDS = 10.0
LOG_TAIL = 4096  # bytes of X-Amz-Log-Result before base64
FILE_DESCRIPTORS = 1024
