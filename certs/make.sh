#!/usr/bin/env bash
# Makes a certificate authority of your own and a certificate for the webhook's Service, with nothing but openssl.
#
#   certs/make.sh [--service NAME] [--namespace NAMESPACE] [--out FOLDER] [--ip ADDRESS]… [--days N] [--ca-days N]
#
# Run again with the same FOLDER, it renews the certificate under the authority that is there. The keys stay in FOLDER, readable
# by you alone; the authority's (ca.key) is needed only for this, so keep it where you keep such things, not in the cluster.
set -euo pipefail

service=cni-steward namespace=kube-system out=. days=365 ca_days=3650 addresses=()

die() { printf 'make.sh: %s\n' "$*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case $1 in
    --service | --namespace | --out | --ip | --days | --ca-days)
      [ $# -ge 2 ] && [ -n "$2" ] || die "$1 needs a value"
      case $1 in
        --service) service=$2 ;;
        --namespace) namespace=$2 ;;
        --out) out=$2 ;;
        --ip) addresses+=("$2") ;;
        --days) days=$2 ;;
        --ca-days) ca_days=$2 ;;
      esac
      shift 2 ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p;}' "$0"; exit ;;
    *) die "no option is called $1; see --help" ;;
  esac
done
for name in "$service" "$namespace"; do
  [[ $name =~ ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$ ]] || die "'$name' is no name of a Service or namespace"
done
for number in "$days" "$ca_days"; do
  [[ $number =~ ^[1-9][0-9]*$ ]] || die "'$number' is no number of days"
done
command -v openssl >/dev/null || die "openssl is not here"

umask 077
mkdir -p "$out"
work=$(mktemp -d "$out/.making.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The API server asks for this name; addresses are for those who call by one.
host=$service.$namespace.svc
names=DNS:$host
for address in ${addresses[@]+"${addresses[@]}"}; do names+=,IP:$address; done

# Authority and leaf have subjects of their own: with one for both, a verifier may take the leaf for self-signed.
cat >"$work/openssl.cnf" <<CONFIG
[req]
distinguished_name = subject
prompt = no
[subject]
CN = unused
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = $names
CONFIG

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

if [ -e "$out/ca.crt" ] || [ -e "$out/ca.key" ]; then
  [ -e "$out/ca.crt" ] && [ -e "$out/ca.key" ] || die "$out holds only one of ca.crt and ca.key; bring the other, or take this one away"
  openssl x509 -in "$out/ca.crt" -noout -checkend $((days * 86400)) >/dev/null ||
    die "$out/ca.crt ends before the new certificate would; choose fewer --days, or make a new authority in another folder"
  authority="of the authority that was there"
else
  key "$work/ca.key"
  openssl req -new -x509 -config "$work/openssl.cnf" -extensions authority -subj "/CN=cni-steward authority $(date -u +%Y-%m-%d)" \
    -key "$work/ca.key" -sha256 -days "$ca_days" -out "$work/ca.crt"
  mv "$work/ca.key" "$work/ca.crt" "$out/"
  authority="of a new authority"
fi
key "$work/tls.key"
openssl req -new -config "$work/openssl.cnf" -subj "/CN=$host" -key "$work/tls.key" -out "$work/tls.csr"
openssl x509 -req -in "$work/tls.csr" -CA "$out/ca.crt" -CAkey "$out/ca.key" -set_serial "0x$(openssl rand -hex 16 | sed 's/^./4/')" \
  -sha256 -days "$days" -extfile "$work/openssl.cnf" -extensions leaf -out "$work/tls.crt" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
openssl verify -CAfile "$out/ca.crt" "$work/tls.crt" >/dev/null
mv "$work/tls.key" "$work/tls.crt" "$out/"
chmod 0644 "$out/ca.crt" "$out/tls.crt"

cat <<NEXT
made in $out: a certificate for $host $authority, valid $days days

hand it to the cluster, now and after each renewal (running replicas take it within two minutes):
  kubectl -n $namespace create secret tls $service-tls --cert=$out/tls.crt --key=$out/tls.key --dry-run=client -o yaml | kubectl apply -f -
and install with:
  --set certificate.secretName=$service-tls --set-file certificate.caBundle=$out/ca.crt
NEXT
