//! What the real cosign wrote (`testdata/trust/README.md` says how).
