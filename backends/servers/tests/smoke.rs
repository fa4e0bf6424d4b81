//! Bare clients of `object_store` against each server: what the tests of the stores stand on.
//!
//! The builders here are the options that work; nothing else is needed.

#![expect(clippy::unwrap_used, reason = "these are tests")]

mod clients;

use clients::{azure, gcs, gcs_with_token, s3, s3_anonymous};
use futures_util::{StreamExt, TryStreamExt};
use iobench_servers::{Azurite, FakeGcs, Keys, Proxy, Refused, S3sFs, Weed};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutPayload};

/// Put, get, head, list, upload in parts, delete.
async fn everything_works(store: &dyn ObjectStore) {
    let key = Path::from("data/a b+c.txt");
    store.put(&key, PutPayload::from_static(b"hello")).await.unwrap();
    assert_eq!(&store.get(&key).await.unwrap().bytes().await.unwrap()[..], b"hello");
    assert_eq!(&store.get_range(&key, 1..3).await.unwrap()[..], b"el");
    assert_eq!(store.head(&key).await.unwrap().size, 5);

    let large = Path::from("data/large");
    let mut upload = store.put_multipart(&large).await.unwrap();
    upload.put_part(vec![1; 5 << 20].into()).await.unwrap();
    upload.put_part(vec![2; 10].into()).await.unwrap();
    upload.complete().await.unwrap();
    let border = (5 << 20) - 1;
    assert_eq!(&store.get_range(&large, border..border + 2).await.unwrap()[..], [1, 2]);

    let listed: Vec<_> = store.list(Some(&Path::from("data"))).try_collect().await.unwrap();
    let names: Vec<_> = listed.iter().map(|object| (object.location.as_ref(), object.size)).collect();
    assert_eq!(names, [("data/a b+c.txt", 5), ("data/large", (5 << 20) + 10)]);

    let all = listed.into_iter().map(|object| Ok(object.location));
    let deleted = store.delete_stream(futures_util::stream::iter(all).boxed());
    assert_eq!(deleted.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    let missing = store.get(&key).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }), "{missing:?}");
}

async fn copies_work(store: &dyn ObjectStore) {
    let (source, copy) = (Path::from("copied/from here"), Path::from("copied/to there"));
    store.put(&source, PutPayload::from_static(b"hello")).await.unwrap();
    store.copy(&source, &copy).await.unwrap();
    assert_eq!(&store.get(&copy).await.unwrap().bytes().await.unwrap()[..], b"hello");
}

/// An object is made once, and not over another one.
async fn a_put_if_absent_happens_once(store: &dyn ObjectStore) {
    let key = Path::from("once");
    let create = || store.put_opts(&key, PutPayload::from_static(b"x"), PutMode::Create.into());
    create().await.unwrap();
    let again = create().await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists { .. }), "{again:?}");
}

async fn is_refused(store: &dyn ObjectStore, status: &str) {
    let error = store.put(&Path::from("x"), PutPayload::from_static(b"x")).await.unwrap_err();
    assert!(matches!(error, Error::PermissionDenied { .. } | Error::Unauthenticated { .. }), "{error:?}");
    assert!(error.to_string().contains(status), "{error}");
}

#[tokio::test]
async fn weed_serves_anybody() {
    let weed = Weed::open();
    let store = s3_anonymous(&weed.endpoint(), &weed.bucket());
    everything_works(&store).await;
    copies_work(&store).await;
    a_put_if_absent_happens_once(&store).await;
}

#[tokio::test]
async fn weed_checks_keys() {
    let weed = Weed::keyed();
    let bucket = weed.bucket();
    let store = s3(&weed.endpoint(), &bucket, Weed::KEYS);
    everything_works(&store).await;
    copies_work(&store).await;
    a_put_if_absent_happens_once(&store).await;
    is_refused(&s3(&weed.endpoint(), &bucket, Keys { secret: "wrong", ..Weed::KEYS }), "403").await;
    is_refused(&s3_anonymous(&weed.endpoint(), &bucket), "403").await;
    let reader = s3(&weed.endpoint(), &bucket, Weed::READER);
    is_refused(&reader, "403").await;
    assert_eq!(reader.head(&Path::from("once")).await.unwrap().size, 1);
}

#[tokio::test]
async fn weed_serves_the_client_of_google_cloud_storage() {
    let weed = Weed::open();
    everything_works(&gcs(&weed.endpoint(), &weed.bucket())).await;
}

#[tokio::test]
async fn s3s_fs_serves_anybody() {
    let server = S3sFs::open();
    let bucket = server.bucket();
    let store = s3_anonymous(&server.endpoint(), &bucket);
    everything_works(&store).await;
    copies_work(&store).await;
    a_put_if_absent_happens_once(&store).await;
    assert_eq!(std::fs::read(server.file(&bucket, "once")).unwrap(), b"x");
}

#[tokio::test]
async fn s3s_fs_checks_keys() {
    let server = S3sFs::keyed();
    let bucket = server.bucket();
    everything_works(&s3(&server.endpoint(), &bucket, S3sFs::KEYS)).await;
    is_refused(&s3(&server.endpoint(), &bucket, Keys { secret: "wrong", ..S3sFs::KEYS }), "403").await;
    is_refused(&s3_anonymous(&server.endpoint(), &bucket), "403").await;
}

#[tokio::test]
async fn azurite_checks_keys() {
    let azurite = Azurite::shared();
    let container = azurite.container();
    let store = azure(&azurite.endpoint(), &container, Azurite::KEYS);
    everything_works(&store).await;
    copies_work(&store).await;
    a_put_if_absent_happens_once(&store).await;
    let wrong = Keys { secret: "d3Jvbmc=", ..Azurite::KEYS };
    is_refused(&azure(&azurite.endpoint(), &container, wrong), "403").await;
}

#[tokio::test]
async fn the_fake_of_google_cloud_storage_knows_generations() {
    let server = FakeGcs::open();
    let store = gcs(&server.endpoint(), &server.bucket());
    everything_works(&store).await;
    copies_work(&store).await;
    a_put_if_absent_happens_once(&store).await;
    let copied = store.copy_if_not_exists(&Path::from("once"), &Path::from("once")).await.unwrap_err();
    assert!(matches!(copied, Error::AlreadyExists { .. }), "{copied:?}");

    let key = Path::from("versions");
    let first = store.put(&key, PutPayload::from_static(b"1")).await.unwrap();
    let update = |content: &'static [u8]| {
        let mode = PutMode::Update(first.clone().into());
        store.put_opts(&key, PutPayload::from_static(content), mode.into())
    };
    update(b"2").await.unwrap();
    let late = update(b"3").await.unwrap_err();
    assert!(matches!(late, Error::Precondition { .. }), "{late:?}");
    assert_eq!(&store.get(&key).await.unwrap().bytes().await.unwrap()[..], b"2");
}

#[tokio::test]
async fn the_fake_of_google_cloud_storage_lists_in_pages_and_by_folder() {
    let server = FakeGcs::open();
    let bucket = server.bucket();
    let store = gcs(&server.endpoint(), &bucket);
    for key in ["a/1", "a/2", "b/1", "c"] {
        store.put(&Path::from(key), PutPayload::from_static(b"x")).await.unwrap();
    }
    let top = store.list_with_delimiter(None).await.unwrap();
    assert_eq!(top.common_prefixes, [Path::from("a"), Path::from("b")]);
    assert_eq!(top.objects.len(), 1);
    let after: Vec<_> = store
        .list_with_offset(None, &Path::from("a/2"))
        .map_ok(|object| object.location)
        .try_collect()
        .await
        .unwrap();
    assert_eq!(after, [Path::from("b/1"), Path::from("c")]);
}

#[tokio::test]
async fn the_fake_of_google_cloud_storage_checks_tokens() {
    let server = FakeGcs::keyed();
    let bucket = server.bucket();
    everything_works(&gcs_with_token(&server.endpoint(), &bucket, FakeGcs::TOKEN)).await;
    is_refused(&gcs_with_token(&server.endpoint(), &bucket, "wrong"), "401").await;
    is_refused(&gcs(&server.endpoint(), &bucket), "401").await;
}

#[tokio::test]
async fn signatures_survive_the_proxy() {
    let (s3s, azurite) = (S3sFs::keyed(), Azurite::shared());
    let proxy = Proxy::start(s3s.address());
    everything_works(&s3(&format!("http://{}", proxy.address()), &s3s.bucket(), S3sFs::KEYS)).await;
    let proxy = Proxy::start(azurite.address());
    let endpoint = format!("http://{}/{}", proxy.address(), Azurite::KEYS.id);
    everything_works(&azure(&endpoint, &azurite.container(), Azurite::KEYS)).await;
}

#[tokio::test]
async fn a_refused_connection_is_refused() {
    let nobody = Refused::new();
    let error =
        s3_anonymous(&format!("http://{}", nobody.address()), "x").head(&Path::from("x")).await.unwrap_err();
    assert!(format!("{error:?}").contains("ConnectionRefused"), "{error:?}");
}
