-- Why a trial is to stop, if somebody wishes that: whichever server it runs on sees it here.
ALTER TABLE check_trials ADD COLUMN stop_why TEXT;
