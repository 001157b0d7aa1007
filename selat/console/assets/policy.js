// While the policies are being proved, the page is looked at again each second.
setTimeout(() => location.replace("/policy/proofs"), 1000);
