/// `overlay` over `base`: tables within tables are merged, everything else is replaced.
pub fn merge(mut base: toml::Table, overlay: &toml::Table) -> toml::Table {
    for (key, value) in overlay {
        let merged = match (base.remove(key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => toml::Value::Table(merge(below, above)),
            _ => value.clone(),
        };
        base.insert(key.clone(), merged);
    }
    base
}
