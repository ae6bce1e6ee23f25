"""What tools by others say of the TLS of a server: testssl.sh and sslyze, reduced to what is a finding."""

import json
import os
import subprocess

# A certificate made for this run is trusted by nobody, answers no revocation and is in no log; the site is
# asked by address, and sends no fields of a preset.
LEFT_TO_OTHERS = (
    *("cert_", "OCSP", "DNS", "HSTS", "HPKP", "banner", "security_headers", "cookie", "http_", "HTTP_", "overall_grade"),
    *("rating", "service", "engine_problem", "ip", "scan"),
    # The client chooses among suites that are all recommended, as Mozilla has it: phones do without AES in hardware.
    "cipher_order",
)


def testssl(port, directory, seconds):
    """Yields the title, what is wrong and what was seen of each test."""
    report = os.path.join(directory, "testssl.json")
    command = ["testssl", "--warnings", "off", "--color", "0", "--ip", "127.0.0.1", "--nodns", "none", "--connect-timeout", "10",
               "--openssl-timeout", "10", "-p", "-s", "-f", "-P", "-S", "-U", "-E", "--jsonfile", report, f"localhost:{port}"]
    with open(os.path.join(directory, "testssl.log"), "w") as log:
        status = subprocess.run(["timeout", str(seconds), *command], stdout=log, stderr=log, stdin=subprocess.DEVNULL).returncode
    if not os.path.exists(report):
        yield "testssl", f"it made no report, status {status}", ""
        return
    text = open(report).read()
    if status == 124:
        yield "testssl", f"it did not end within {seconds} s", ""
        text = text.rstrip().rstrip(",").rstrip("]") + "]"
    quiet = 0
    for entry in json.loads(text):
        if entry["id"].startswith(LEFT_TO_OTHERS):
            continue
        if entry["severity"] in ("OK", "INFO", "DEBUG"):
            quiet += 1
            continue
        yield f"testssl {entry['id']}", f"{entry['severity']}: {entry['finding']}", ""
    yield "testssl, all else", None if quiet > 40 else "it looked at too little", f"{quiet} tests"


def sslyze(python, port, directory, authority, seconds):
    """Yields each mismatch with Mozilla's recommendation, and attacks that work."""
    report = os.path.join(directory, "sslyze.json")
    command = [python, "-m", "sslyze", "--mozilla_config", "intermediate", "--early_data", "--certinfo_ca_file", authority, "--sni", "localhost",
               "--json_out", report, f"127.0.0.1:{port}"]
    ran = subprocess.run(["timeout", str(seconds), *command], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    with open(os.path.join(directory, "sslyze.log"), "w") as log:
        log.write(ran.stdout + ran.stderr)
    if ran.returncode == 124 or not os.path.exists(report):
        yield "sslyze", f"it made no report, status {ran.returncode}: {ran.stderr[-200:]}", ""
        return
    verdict = ran.stdout.rpartition("COMPLIANCE")[2].strip().splitlines()
    lines = [line.strip() for line in verdict if "*" in line or "FAILED" in line or "OK" in line]
    failed = [line for line in lines if "OK - Compliant" not in line]
    yield "sslyze: Mozilla, intermediate", ("; ".join(failed) if "OK - Compliant" not in ran.stdout else None), "compliant"
    found = json.load(open(report))["server_scan_results"][0]["scan_result"] or {}

    def value(scan, key):
        scanned = found.get(scan) or {}
        return (scanned.get("result") or {}).get(key, f"not looked at: {scanned.get('status')}")

    wanted = {
        "heartbleed": (value("heartbleed", "is_vulnerable_to_heartbleed"), False),
        "CCS injection": (value("openssl_ccs_injection", "is_vulnerable_to_ccs_injection"), False),
        "ROBOT": (value("robot", "robot_result"), "NOT_VULNERABLE_RSA_NOT_SUPPORTED"),
        "compression": (value("tls_compression", "supports_compression"), False),
        "renegotiation by the client": (value("session_renegotiation", "is_vulnerable_to_client_renegotiation_dos"), False),
        "early data, which can be replayed": (value("tls_1_3_early_data", "supports_early_data"), False),
        "extended master secret": (value("tls_extended_master_secret", "supports_ems_extension"), True),
    }
    for title, (seen, right) in wanted.items():
        yield f"sslyze: {title}", (None if seen == right else f"expected {right}"), str(seen)


def resumption(port, directory):
    """Yields whether sessions resume. By openssl: sslyze takes a ticket that is exchanged on use for one refused."""
    for version in ("tls1_2", "tls1_3"):
        session = os.path.join(directory, f"session.{version}")
        seen = []
        for flag in ("-sess_out", "-sess_in"):
            command = ["timeout", "10", "openssl", "s_client", "-connect", f"localhost:{port}", f"-{version}", "-ign_eof", flag, session]
            text = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            ran = subprocess.run(command, input=text, capture_output=True, text=True)
            seen += [line.split(",")[0] for line in ran.stdout.splitlines() if line.startswith(("New,", "Reused,"))][:1]
        yield f"openssl, resumption with {version}", None if seen == ["New", "Reused"] else "expected New, then Reused", ", ".join(seen)
