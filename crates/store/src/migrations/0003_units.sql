-- What images, transcriptions and speech are counted in.
ALTER TABLE activity_days ADD COLUMN images BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN audio_seconds BIGINT NOT NULL DEFAULT 0;
ALTER TABLE activity_days ADD COLUMN characters BIGINT NOT NULL DEFAULT 0;
