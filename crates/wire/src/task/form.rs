//! What came as `multipart/form-data`, and how it goes out again.

/// A file of a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// Its name, which tells providers the format.
    pub name: String,
    /// Its media type, where the caller says.
    pub content_type: Option<String>,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// The fields of a form in order, and its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Names and values.
    pub fields: Vec<(String, String)>,
    /// The field `file`.
    pub file: Option<Upload>,
}

impl Form {
    /// The first value of a field.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether a field has this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.get(name) == Some(value)
    }

    /// The form's fields as a JSON object, which is how calls are scanned; only what the gateway acts on.
    pub fn as_json(&self) -> Vec<u8> {
        let mut out = crate::writer::Writer::with_capacity(256);
        out.begin_object();
        for (key, value) in &self.fields {
            match key.as_str() {
                "model" | "session_id" | "user" => out.field(key, value),
                // What is JSON in a field of text: `models` and `provider`.
                "models" | "provider" if serde_json::from_str::<serde::de::IgnoredAny>(value).is_ok() => {
                    out.field_raw(key, value.as_bytes())
                }
                _ => &mut out,
            };
        }
        out.end_object();
        out.finish()
    }
}

/// Writes a form: its boundary and its bytes.
pub(super) fn write(fields: &[(&str, &str)], file: &Upload) -> (String, Vec<u8>) {
    let taken = |boundary: &str| {
        let finder = memchr::memmem::Finder::new(boundary.as_bytes());
        let said = |text: &str| finder.find(text.as_bytes()).is_some();
        finder.find(&file.bytes).is_some() || fields.iter().any(|(_, value)| said(value))
    };
    let boundary =
        (0u64..).map(|n| format!("form-{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).find(|b| !taken(b));
    let boundary = boundary.unwrap_or_default();
    let mut out = Vec::with_capacity(file.bytes.len() + 1_024);
    for (name, value) in fields {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", quoted(name));
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
        quoted(&file.name),
        file.content_type.as_deref().unwrap_or("application/octet-stream"),
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(&file.bytes);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (boundary, out)
}

/// A name as browsers write it into a form.
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
