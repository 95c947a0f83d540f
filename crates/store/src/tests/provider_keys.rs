use super::*;
use crate::ProviderKey;

fn key(provider: &str, sealed: &str) -> ProviderKey {
    ProviderKey {
        provider: provider.to_owned(),
        sealed: sealed.to_owned(),
        master: "m1".to_owned(),
        changed: NOW,
        changed_by: "usr_1".to_owned(),
    }
}

both! {
    async fn one_key_a_provider(store) {
        assert_eq!(store.provider_keys().await.unwrap(), []);
        store.put_provider_key(&key("mistral", "a")).await.unwrap();
        store.put_provider_key(&key("groq", "b")).await.unwrap();
        store.put_provider_key(&key("mistral", "c")).await.unwrap();
        assert_eq!(store.provider_keys().await.unwrap(), [key("groq", "b"), key("mistral", "c")]);
        assert!(store.delete_provider_key("groq").await.unwrap());
        assert!(!store.delete_provider_key("groq").await.unwrap());
        assert_eq!(store.provider_keys().await.unwrap(), [key("mistral", "c")]);
        assert!(!format!("{:?}", key("mistral", "secret")).contains("secret"));
    }
}
