#!/bin/bash
# Makes the parameter server out of a fresh Amazon Linux 2023: run once, by cloud-init, as root.
# deploy fills in the words between @ signs. No secret comes in: of the password only its SHA-256
# is here, and the key of the certificate is made on this host and stays on it. The certificate
# goes to the bucket; that tells the deployer that the server answers, and whom to trust.
# (No dollar sign stands before a brace: CloudFormation would take that for a name of its own.)
set -euo pipefail
umask 077

region=@REGION@
bucket=@BUCKET@
module_bucket=@MODULE_BUCKET@
module_key=@MODULE_KEY@
address=@ADDRESS@
port=@PORT@
user=@USER@
password_sha256=@PASSWORD_SHA256@
public_address="@PUBLIC_ADDRESS@"
public_zone=@PUBLIC_ZONE@

root=$(printenv CIRRUS_ROOT || true) # empty, but for a rehearsal in a scratch folder
etc=$root/etc/cirrus-server
lib=$root/usr/local/lib/cirrus-server

# What needs the network is tried for five minutes: routes and rights may be younger than the host.
patiently() {
    local deadline=$((SECONDS + 300))
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 1
    done
}

patiently dnf install -y -q valkey
install -d -m 755 "$lib" "$etc"
patiently aws s3api get-object --region "$region" --bucket "$module_bucket" \
    --key "$module_key" "$lib/cirrus.so" >/dev/null
chmod 755 "$lib/cirrus.so"
id -u cirrus >/dev/null 2>&1 || useradd --system --no-create-home --shell /sbin/nologin cirrus

names="IP:$address"
if [ -n "$public_address" ]; then
    names="$names,IP:$public_address,DNS:ec2-$(echo "$public_address" | tr . -).$public_zone"
fi
# It vouches for itself alone, and clients trust this one certificate and no authority.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 \
    -subj "/CN=cirrus-server" -addext "subjectAltName=$names" \
    -addext "keyUsage=critical,digitalSignature,keyCertSign" -addext "extendedKeyUsage=serverAuth" \
    -keyout "$etc/key.pem" -out "$etc/certificate.pem" 2>/dev/null

# Everything about keys of runs, and users for the workers of a run; nothing else that is dangerous.
cat >"$etc/users.acl" <<EOF
user default reset
user $user reset on #$password_sha256 ~cirrus:* +@all -@admin -@dangerous +acl|setuser +acl|deluser +info
EOF

memory=$(awk '/^MemTotal:/ { printf "%d", $2 * 768 }' /proc/meminfo)
cat >"$etc/server.conf" <<EOF
bind * -::*
protected-mode no
port 0
tls-port $port
tls-cert-file $etc/certificate.pem
tls-key-file $etc/key.pem
tls-auth-clients no
tls-protocols "TLSv1.2 TLSv1.3"
aclfile $etc/users.acl
loadmodule $lib/cirrus.so
dir $etc
save ""
appendonly no
maxmemory $memory
maxmemory-policy noeviction
maxclients 20000
tcp-keepalive 60
EOF
chmod 644 "$etc/server.conf" "$etc/certificate.pem"
chown cirrus:cirrus "$etc/key.pem" "$etc/users.acl"

cat >"$root/etc/systemd/system/cirrus-server.service" <<EOF
[Unit]
Description=Parameter server of sklearn_cirrus
Wants=network-online.target
After=network-online.target

[Service]
User=cirrus
Group=cirrus
ExecStart=/usr/bin/valkey-server $etc/server.conf
Restart=always
RestartSec=1
LimitNOFILE=65536
CapabilityBoundingSet=
NoNewPrivileges=yes
PrivateDevices=yes
PrivateTmp=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX

[Install]
WantedBy=multi-user.target
EOF
chmod 644 "$root/etc/systemd/system/cirrus-server.service"
systemctl daemon-reload
systemctl enable --now cirrus-server.service

# NOAUTH: over TLS, from a server with our users. One without the module does not start.
answers() {
    valkey-cli --tls --cacert "$etc/certificate.pem" -h 127.0.0.1 -p "$port" ping 2>&1 |
        grep -q NOAUTH
}
patiently answers

metadata=http://169.254.169.254/latest
token=$(curl -sf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 300" "$metadata/api/token")
instance=$(curl -sf -H "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-id")
patiently aws s3api put-object --region "$region" --bucket "$bucket" \
    --key "server/ready/$instance.pem" --body "$etc/certificate.pem" >/dev/null
