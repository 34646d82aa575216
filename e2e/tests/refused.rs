//! Wrong tests are refused by the API server, with a sentence that says what is wrong.

use std::{collections::BTreeMap, fs, path::Path};

use kube::{
    Api,
    api::{ApiResource, DynamicObject, PostParams},
};
use netproof_crds::ConnectivityTest;
use netproof_e2e::{Context, Result, ensure, examples::yaml, sandbox, say};

/// The files, by name, each with the sentence of its first line.
fn wrong_tests() -> Result<BTreeMap<String, (String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("wrong-tests");
    let mut tests = BTreeMap::new();
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path)?;
        let first = text.lines().next().unwrap_or_default();
        let sentence = first.strip_prefix("# refused: ").context(name.clone())?.to_owned();
        tests.insert(name, (sentence, text));
    }
    Ok(tests)
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tests_are_refused_with_a_sentence_that_helps() {
    sandbox(async |sandbox| {
        let resource = ApiResource::erase::<ConnectivityTest>(&());
        let home = sandbox.namespace("refused", &[]).await?;
        let api = Api::<DynamicObject>::namespaced_with(home.client.clone(), &home.name, &resource);
        let tests = wrong_tests()?;
        ensure!(tests.len() > 40, "only {} files", tests.len());
        let mut accepted = Vec::new();
        for (file, (sentence, text)) in &tests {
            let mut object: DynamicObject = yaml(text);
            object.metadata.namespace = Some(home.name.clone());
            match api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await
            {
                Ok(_) => accepted.push(format!("{file}: accepted; should be refused: {sentence}")),
                Err(kube::Error::Api(error)) if error.message.contains(sentence) => {}
                Err(error) => accepted.push(format!("{file}: not {sentence:?} but {error}")),
            }
        }
        ensure!(accepted.is_empty(), "{accepted:#?}");
        say(format!("{} wrong tests refused", tests.len()));
        Ok(())
    })
    .await;
}
