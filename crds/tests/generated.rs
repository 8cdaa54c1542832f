//! `crds/generated` is what users install: it must be what the types say. `UPDATE=1` rewrites it.

use std::path::PathBuf;

#[test]
fn generated_yaml_is_what_the_types_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("generated");
    let update = std::env::var_os("UPDATE").is_some();
    for crd in interlock_crds::crds() {
        let file = folder.join(format!("{}.yaml", crd.spec.names.plural));
        let want = serde_saphyr::to_string(&crd).expect("a CRD serialises");
        if update {
            std::fs::write(&file, &want).expect("the folder can be written");
        }
        let have = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(have == want, "{} is out of date: run make generated", file.display());
    }
}

#[test]
fn every_field_is_documented() {
    fn undocumented(path: &str, schema: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(properties) = schema.get("properties").and_then(|p| p.as_object()) {
            for (name, property) in properties {
                let path = format!("{path}.{name}");
                if property.get("description").is_none() {
                    found.push(path.clone());
                }
                undocumented(&path, property, found);
            }
        }
        if let Some(items) = schema.get("items") {
            undocumented(&format!("{path}[]"), items, found);
        }
    }
    for crd in interlock_crds::crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema).unwrap();
        let mut found = Vec::new();
        for part in ["spec", "status"] {
            undocumented(part, &schema["properties"][part], &mut found);
        }
        assert!(
            found.is_empty(),
            "{}: fields without documentation: {found:?}",
            crd.spec.names.kind
        );
    }
}
